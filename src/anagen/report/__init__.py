"""Results in, document out: tables, figures, HTML."""
