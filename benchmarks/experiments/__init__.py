"""Experiments behind the scenarios and hyper-parameters of section 7.6, each a row of committed data."""
