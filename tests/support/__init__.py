"""What several tests share: corpora of models and attacks, servers, databases, sample reports."""
