"""What a crowdfunding campaign is: its columns, its files, its encoding and the forest that scores it."""
