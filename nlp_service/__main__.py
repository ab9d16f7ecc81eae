"""``python -m nlp_service``."""

from nlp_service.cli import main

if __name__ == "__main__":
    main()
