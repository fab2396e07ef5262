"""S3 buckets as the share store `s3` uses them: objects, uploads in parts, signed addresses."""
