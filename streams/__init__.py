"""Everything that names Kafka: topics, tables, codecs, delivery, replies, the Faust apps."""
