"""Alert rules, dashboards and generated reference pages for operators. No process of the stack imports this package."""
