"""Conditions that hold for every network: found among a problem's constraints, and built into its fields."""

from pinn.hard_conditions.ansatz import Condition, HardConditions
from pinn.hard_conditions.find import Found, choose_conditions, find_conditions, periodic_conditions

__all__ = ["Condition", "Found", "HardConditions", "choose_conditions", "find_conditions", "periodic_conditions"]
