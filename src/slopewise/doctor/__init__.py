"""What stands in the way of a fit: findings with a number, a cause and one fix each."""
