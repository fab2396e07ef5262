"""One module per scheme of a source's address; its class ``Source`` keeps the contract."""
