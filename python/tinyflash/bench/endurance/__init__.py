"""The endurance benchmark: does long training wear a network out?"""
