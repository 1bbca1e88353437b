"""A model as a folder of the Hugging Face kind: weights in one file or in shards, and the documents beside them."""
