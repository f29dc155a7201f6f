MARCH = None
