"""What a job declares: topics, tables, SQL; found below `spark-apps/`, bound before it runs, fused into queries."""
