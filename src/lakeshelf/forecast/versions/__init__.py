"""Trained models as folders: written once, looked through before they are opened."""
