"""The published dataset: its card. One file for each part of the card, plain functions of facts."""
