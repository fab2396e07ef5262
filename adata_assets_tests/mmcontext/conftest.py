"""``consume.py`` runs in another environment; here it cannot even be imported."""

collect_ignore = ["consume.py"]
