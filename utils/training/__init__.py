"""One loop; what it is fed; what it minimises."""
