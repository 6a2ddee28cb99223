"""What the image and the stack of deploy/docker promise, checked without a container engine."""
