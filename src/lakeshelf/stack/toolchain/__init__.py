"""What the stack is made of: Java, jars, Hadoop's file system, archives of classes; fetched and checked by set-up."""
