"""Several containers that are one project: the services of a compose file.

``names`` moves the names by which they find each other, ``plan`` says what a build replaces,
``swap`` replaces one service, ``group`` all of them, or none.
"""
