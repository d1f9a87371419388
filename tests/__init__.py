"""Tests: of the whole house and its faces here, of a room in the folder of its name."""
