"""Running notebook documents."""
