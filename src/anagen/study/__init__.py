"""The plan and the people: protocol, eligibility, visits, the study folder's tables."""
