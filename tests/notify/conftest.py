from tests.chain.conftest import place

__all__ = ["place"]
