"""Stage 2: from columns to predictions."""
