"""From what people have to features: files and folders of arrays, clips to ask about, clips to teach from."""
