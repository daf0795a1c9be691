"""The analysis a trial statistician would sign."""
