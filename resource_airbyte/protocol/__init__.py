"""The Airbyte protocol: its messages, the chunks that records travel in, and the two seams, Source and Destination."""
