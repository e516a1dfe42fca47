"""Heads on frozen tokens: fits, choice by cross-validation, temperature. Only an attentive one needs torch."""
