"""The generated company: plain records that are independent of any vendor."""

from hr_sandbox.company.build import build_company
from hr_sandbox.company.model.company import Company

__all__ = ["Company", "build_company"]
