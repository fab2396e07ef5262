"""One file per stage, thin: get, call, return. The only place with ``@dg.asset``."""
