"""Loads the HR data of several tenants: what to load, state and locks in PostgreSQL, and Airflow's operators."""
