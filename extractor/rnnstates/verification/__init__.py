"""Whether a states file is what ``extract`` wrote: complete, consistent, and right where a sample is computed again."""
