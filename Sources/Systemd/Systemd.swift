// placeholder while the house is founded
