"""Columns beside the original ones: ontology terms, facts of accessions; which leave the machine."""
