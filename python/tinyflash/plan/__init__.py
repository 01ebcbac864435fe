"""Memory: lifetimes, placement, and a checker that shares no code with them."""

from tinyflash.plan.check import check
from tinyflash.plan.place import EXACT, NONE, QUICK, Effort, Placement
from tinyflash.plan.planner import Plan, plan

__all__ = ["EXACT", "NONE", "QUICK", "Effort", "Placement", "Plan", "check", "plan"]
