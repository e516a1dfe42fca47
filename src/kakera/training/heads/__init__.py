"""Linear heads on frozen tokens: fits, choice by cross-validation, temperature. Does not import torch."""
