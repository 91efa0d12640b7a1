"""Ranking the whole catalogue for a listener: components, their blend, rules, reasons and an honest evaluation.

Everything here is numpy and scipy on one matrix of plays; Spark's MLlib fits the factors (:mod:`.mllib`).
"""
