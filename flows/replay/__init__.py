"""`campaign replay`: would the loop have paid, on somebody's own history?"""
