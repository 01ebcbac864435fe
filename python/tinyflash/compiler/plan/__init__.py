"""Memory planning: lifetimes, placement, and an independent checker."""

from tinyflash.compiler.plan.check import check
from tinyflash.compiler.plan.place import EXACT, NONE, QUICK, Effort, Placement
from tinyflash.compiler.plan.planner import Plan, plan

__all__ = ["EXACT", "NONE", "QUICK", "Effort", "Placement", "Plan", "check", "plan"]
