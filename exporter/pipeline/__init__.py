"""The steps in order of time: start, plan, upload, finish; and sweep, which makes sure that each of them happens.

Each step gathers what it needs, lets pure rules decide, and applies the decision. A step may be called at any time, any
number of times, by several workers at once: the records say what is left to do.
"""
