"""Commands about the platform: the stack and its demos, jobs, components, examinations, the project folder."""
