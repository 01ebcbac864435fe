"""Memory: lifetimes, placement, and a checker that shares no code with them."""

from tinyflash.plan.check import check
from tinyflash.plan.place import Placement, Plan, plan

__all__ = ["Placement", "Plan", "check", "plan"]
