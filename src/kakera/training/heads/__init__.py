"""Heads on frozen tokens: fits, choice by cross-validation, temperature. Only `attentive` needs torch."""
