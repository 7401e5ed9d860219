"""Where jobs run: one file per executor, and the machinery behind them in `machine` and `dask`.

The files here are imported wherever plugins are looked for; what they need to run, only then.
"""
