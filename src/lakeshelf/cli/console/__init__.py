"""What every command stands on: settings and the lake that it is about, output, options, completion, the prompt."""
