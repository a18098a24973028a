"""The group step: from participants' maps to what is true of people."""
