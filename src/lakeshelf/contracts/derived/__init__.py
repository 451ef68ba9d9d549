"""What follows from the contract, in the words of Spark, JSON Schema, Kafka and the reference pages."""
