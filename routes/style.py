"""The look of the pages that the API serves itself: small, and without a network."""

__all__ = ["STYLE"]

STYLE = """
:root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;
padding:0 1rem}code,pre{font-family:ui-monospace,monospace;font-size:.9em}pre{overflow-x:auto;padding:.75rem;
border:1px solid #8886;border-radius:.4rem}table{border-collapse:collapse;width:100%}td,th{text-align:left;
vertical-align:top;padding:.3rem .6rem;border-bottom:1px solid #8884}section{margin:2rem 0}
h3{margin-bottom:.2rem}.method{display:inline-block;min-width:4.5rem}input,button{font:inherit;
padding:.4rem .7rem;border:1px solid #8888;border-radius:.4rem}.fault{color:#c0392b}
"""
