"""Memory: lifetimes, placement, and a checker that shares no code with them."""

from tinyflash.plan.check import check
from tinyflash.plan.place import Placement
from tinyflash.plan.planner import Plan, plan

__all__ = ["Placement", "Plan", "check", "plan"]
