"""The providers that come with this package, one module each."""
