"""Operations of the API, a module a resource."""
